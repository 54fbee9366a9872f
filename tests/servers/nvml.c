/* A driver's library for whole commands: one T4. FAKE_NVML_PID holds memory of it; FAKE_NVML_INIT is the code that the
   first call answers with. Built from the declarations in nvidia-ml-py 13. */
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned gpu, memory; } Load;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } Process;
typedef struct { unsigned pid; unsigned long long at; unsigned sm, memory, encoder, decoder; } Sample;

#define GIB (1ULL << 30)
enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };

static unsigned number(const char *name) { const char *text = getenv(name); return text ? atoi(text) : 0; }

int nvmlInitWithFlags(unsigned flags) { (void)flags; return number("FAKE_NVML_INIT"); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { (void)code; return "an error"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) { *handle = (void *)(size_t)(index + 1); return OK; }
int nvmlDeviceGetUUID(void *handle, char *text, unsigned size) { (void)handle; strncpy(text, "GPU-44444444", size); return OK; }
int nvmlDeviceGetName(void *handle, char *text, unsigned size) { (void)handle; strncpy(text, "Tesla T4", size); return OK; }
int nvmlDeviceGetMemoryInfo(void *handle, Memory *memory) {
  (void)handle;
  memory->total = 15 * GIB, memory->used = number("FAKE_NVML_PID") ? 2 * GIB : 0;
  memory->free = memory->total - memory->used;
  return OK;
}
int nvmlDeviceGetUtilizationRates(void *handle, Load *load) { (void)handle; load->gpu = 61, load->memory = 0; return OK; }
int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned *celsius) { (void)handle, (void)sensor; *celsius = 62; return OK; }
int nvmlDeviceGetPowerUsage(void *handle, unsigned *milliwatts) { (void)handle; *milliwatts = 41500; return OK; }
int nvmlDeviceGetEnforcedPowerLimit(void *handle, unsigned *milliwatts) { (void)handle; *milliwatts = 70000; return OK; }
int nvmlDeviceGetMigMode(void *handle, unsigned *now, unsigned *next) { (void)handle, (void)now, (void)next; return NOT_SUPPORTED; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, Process *rows) {
  unsigned pid = number("FAKE_NVML_PID"), room = *count;
  (void)handle;
  *count = pid != 0;
  if (!pid) return OK;
  if (!rows || room < 1) return INSUFFICIENT_SIZE;
  memset(rows, 0, sizeof *rows);
  rows->pid = pid, rows->used = 2 * GIB;
  return OK;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *count, Process *rows) {
  (void)handle, (void)rows;
  *count = 0;
  return OK;
}
int nvmlDeviceGetProcessUtilization(void *handle, Sample *rows, unsigned *count, unsigned long long since) {
  unsigned pid = number("FAKE_NVML_PID");
  (void)handle, (void)since;
  *count = pid != 0;
  if (!pid) return NOT_FOUND;
  if (!rows) return INSUFFICIENT_SIZE;
  memset(rows, 0, sizeof *rows);
  rows->pid = pid, rows->sm = 61;
  return OK;
}
