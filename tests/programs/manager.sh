#!/bin/sh
# A systemd user manager of its own, for as long as a command runs: manager.sh FOLDER COMMAND...
# To be started as root in new mount and process namespaces (unshare --mount --pid --fork --mount-proc).
set -eu
folder=$1
shift
mkdir -p "$folder/run/system" "$folder/runtime"
chmod 700 "$folder/runtime"
mount --bind "$folder/run" /run/systemd
export XDG_RUNTIME_DIR="$folder/runtime"
unset DBUS_SESSION_BUS_ADDRESS
/lib/systemd/systemd --user >"$folder/manager.log" 2>&1 &
for _ in $(seq 100); do
    systemctl --user is-system-running >/dev/null 2>&1 && break
    sleep 0.1
done
"$@"
