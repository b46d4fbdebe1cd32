/* NVML as nvidia-ml-py calls it, for as many GPUs as the file named by FAKE_NVML has at the moment of each call:
 *
 *     gpu INDEX TOTAL [lost]        a GPU, with its bytes of memory; `lost` has fallen off the bus
 *     name INDEX WORD               what it is; "H100" where nothing is said
 *     process INDEX PID BYTES       who holds memory on it
 *
 * A file that is not there is a driver that is not loaded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, SIZE = 7, NOT_LOADED = 9, LOST = 15, MOST = 16 };

typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } process;

static struct { int there, lost, count; unsigned long long total, used; process holders[MOST]; char name[16]; } gpus[MOST];

static int look(void) {
    char line[256], word[16];
    int index;
    unsigned pid;
    unsigned long long size;
    FILE *file = fopen(getenv("FAKE_NVML") ? getenv("FAKE_NVML") : "", "r");
    if (!file) return NOT_LOADED;
    memset(gpus, 0, sizeof gpus);
    while (fgets(line, sizeof line, file)) {
        word[0] = 0;
        if (sscanf(line, "gpu %d %llu %15s", &index, &size, word) >= 2 && index < MOST) {
            gpus[index].there = 1;
            gpus[index].total = size;
            gpus[index].lost = !strcmp(word, "lost");
        } else if (sscanf(line, "name %d %15s", &index, word) == 2 && index < MOST) {
            strcpy(gpus[index].name, word);
        } else if (sscanf(line, "process %d %u %llu", &index, &pid, &size) == 3 && index < MOST) {
            process *one = &gpus[index].holders[gpus[index].count++];
            one->pid = pid;
            one->used = size;
            one->gpu_instance = one->compute_instance = 0xFFFFFFFF;
            gpus[index].used += size;
        }
    }
    fclose(file);
    return SUCCESS;
}

static int of(void *handle, int *index) {
    *index = (int)(long)handle - 1;
    int said = look();
    if (said) return said;
    return !gpus[*index].there || gpus[*index].lost ? LOST : SUCCESS;
}

int nvmlInitWithFlags(unsigned flags) { return look(); }
int nvmlInit_v2(void) { return look(); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return code == LOST ? "GPU is lost" : "error"; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    int said = look();
    for (*count = 0; *count < MOST && gpus[*count].there; ++*count) {}
    return said;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    int said = look();
    if (said) return said;
    if (index >= MOST || !gpus[index].there) return INVALID;
    *handle = (void *)(long)(index + 1);
    return gpus[index].lost ? LOST : SUCCESS;
}

int nvmlDeviceGetName(void *handle, char *name, unsigned length) {
    int index, said = of(handle, &index);
    snprintf(name, length, "Imaginary %s", said == NOT_LOADED || !gpus[index].name[0] ? "H100" : gpus[index].name);
    return said;
}

int nvmlDeviceGetUUID(void *handle, char *name, unsigned length) {
    int index, said = of(handle, &index);
    snprintf(name, length, "GPU-%d", index);
    return said;
}

int nvmlDeviceGetUtilizationRates(void *handle, unsigned *rates) {
    int index, said = of(handle, &index);
    rates[0] = 90;
    rates[1] = 40;
    return said;
}

int nvmlDeviceGetMemoryInfo_v2(void *handle, memory *found) {
    int index, said = of(handle, &index);
    if (said) return said;
    found->total = gpus[index].total;
    found->reserved = 0;
    found->used = gpus[index].used;
    found->free = found->total - found->used;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(void *handle, unsigned sensor, unsigned *degrees) {
    int index, said = of(handle, &index);
    *degrees = 61;
    return said;
}

int nvmlDeviceGetPowerUsage(void *handle, unsigned *milliwatts) { return NOT_SUPPORTED; }

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, process *found) {
    int index, said = of(handle, &index);
    if (said) return said;
    unsigned room = *count;
    *count = gpus[index].count;
    if (room < *count) return SIZE;
    if (found) memcpy(found, gpus[index].holders, *count * sizeof *found);
    return SUCCESS;
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *count, process *found) {
    *count = 0;
    return SUCCESS;
}
