/* A driver's library for whole commands. FAKE_NVML holds a card a line, as `driver.told` writes them; FAKE_NVML_INIT is
   the code that the first call answers with. Built from the declarations in
   nvidia-ml-py 13. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long Big;
typedef struct { Big total, free, used; } Memory;
typedef struct { unsigned gpu, memory; } Load;
typedef struct { unsigned pid; Big used; unsigned gpu_instance, compute_instance; } Process;
typedef struct { unsigned pid; Big at; unsigned sm, memory, encoder, decoder; } Sample;
typedef struct { unsigned pid; Big bytes; unsigned percent; } Held;
typedef struct {
  char name[96], uuid[96], errors[512];
  Big total, used;
  int mig, celsius, milliwatts, limit, count;
  Held held[8];
} Card;

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
static Card cards[8];
static unsigned found;

static int number(const char *name) { const char *text = getenv(name); return text ? atoi(text) : 0; }

/* The code that a function answers with on this card: `errors` holds `Name=code,` for each that fails. */
static int fails(const Card *card, const char *function) {
  const char *at = strstr(card->errors, function);
  return at && at[strlen(function)] == '=' ? atoi(at + strlen(function) + 1) : OK;
}

static void look(void) {
  const char *at = getenv("FAKE_NVML");
  for (found = 0; at && *at && found < 8; found++) {
    Card *card = &cards[found];
    int read = 0;
    memset(card, 0, sizeof *card);
    sscanf(at, "%95[^|]|%95[^|]|,%511[^|]|%llu|%llu|%d|%d|%d|%d|%n", card->name, card->uuid, card->errors, &card->total,
           &card->used, &card->mig, &card->celsius, &card->milliwatts, &card->limit, &read);
    for (at += read; card->count < 8; at += read, card->count++) {
      Held *held = &card->held[card->count];
      read = 0;
      if (sscanf(at, "%u,%llu,%u|%n", &held->pid, &held->bytes, &held->percent, &read) < 3) break;
    }
    at += *at == '\n';
  }
}

static int tell(int value, int *into) { *into = value; return value < 0 ? NOT_SUPPORTED : OK; }

int nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  look();
  return number("FAKE_NVML_INIT");
}
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { (void)code; return "an error"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = found; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Card **card) { *card = &cards[index]; return fails(*card, "DeviceGetHandleByIndex"); }
int nvmlDeviceGetUUID(Card *card, char *text, unsigned size) { strncpy(text, card->uuid, size); return OK; }
int nvmlDeviceGetName(Card *card, char *text, unsigned size) { strncpy(text, card->name, size); return OK; }
int nvmlDeviceGetTemperature(Card *card, int sensor, int *celsius) { (void)sensor; return tell(card->celsius, celsius); }
int nvmlDeviceGetPowerUsage(Card *card, int *milliwatts) { return tell(card->milliwatts, milliwatts); }
int nvmlDeviceGetEnforcedPowerLimit(Card *card, int *milliwatts) { return tell(card->limit, milliwatts); }
int nvmlDeviceGetMigMode(Card *card, int *now, int *next) { *next = 0; return tell(card->mig, now); }
int nvmlDeviceGetMemoryInfo(Card *card, Memory *memory) {
  memory->total = card->total, memory->used = card->used, memory->free = card->total - card->used;
  return card->total ? fails(card, "DeviceGetMemoryInfo") : NOT_SUPPORTED;
}
int nvmlDeviceGetUtilizationRates(Card *card, Load *load) {
  load->gpu = load->memory = 0;
  for (int each = 0; each < card->count; each++) load->gpu += card->held[each].percent;
  return card->mig > 0 ? NOT_SUPPORTED : OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Card *card, unsigned *count, Process *rows) {
  unsigned room = *count, code = fails(card, "DeviceGetComputeRunningProcesses");
  *count = card->count;
  if (code || !card->count) return code;
  if (!rows || room < *count) return INSUFFICIENT_SIZE;
  memset(rows, 0, *count * sizeof *rows);
  for (int each = 0; each < card->count; each++) rows[each].pid = card->held[each].pid, rows[each].used = card->held[each].bytes;
  return OK;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(Card *card, unsigned *count, Process *rows) {
  (void)card, (void)rows;
  *count = 0;
  return OK;
}
int nvmlDeviceGetProcessUtilization(Card *card, Sample *rows, unsigned *count, Big since) {
  (void)since;
  if (card->mig > 0) return NOT_SUPPORTED;
  *count = card->count;
  if (!card->count) return NOT_FOUND;
  if (!rows) return INSUFFICIENT_SIZE;
  memset(rows, 0, *count * sizeof *rows);
  for (int each = 0; each < card->count; each++) rows[each].pid = card->held[each].pid, rows[each].sm = card->held[each].percent;
  return OK;
}
