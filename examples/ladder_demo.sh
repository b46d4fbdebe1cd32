#!/bin/sh
# The ladder in a quarter of an hour on two cores: a study of train.py by AutoML on a small rung, its champion on a
# larger one, what each kept change is worth, and the page about it. No key and no GPU.
#
#     make ladder-demo                      # or with BUDGET=4 LARGE=10 EXPERIMENTS=4, which shows less and is quicker
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
looptop=$here/.venv/bin/looptop
place=${PLACE:-$(mktemp -d "${TMPDIR:-/tmp}/ladder-demo-XXXXXX")}
git clone -q "$here" "$place/project"
cd "$place/project"
sed -i.before "s/^budget: .*/budget: ${BUDGET:-8}s/; s/^deadline: .*/deadline: 10m/
s/^limits: .*/limits: {experiments: ${EXPERIMENTS:-8}}\\
scales: {small: {}, large: {set: {DEPTH: 6}, budget: ${LARGE:-20}s, runs: 3}}/" program.md
rm -f program.md.before
git -c user.name=demo -c user.email=demo@localhost commit -qam "Two rungs"

echo "== a study of ${EXPERIMENTS:-8} experiments, ${BUDGET:-8} s each; at its end the champion climbs"
"$looptop" run --headless --researcher automl
echo "== what each kept change is worth in today's champion"
"$looptop" ablate || true
while "$looptop" status --json | grep -q '"pid": [0-9]'; do sleep 15; "$looptop" ablate --show | tail -1; done
"$looptop" ablate --show || true
echo "== the ladder"
"$looptop" ladder
"$looptop" report
echo
echo "Look at:  $place/project/report.html   the page: answer, chart, kept changes, ladder, costs"
echo "          cd $place/project && $looptop   the same in the cockpit; \`looptop show N\` for one change"
