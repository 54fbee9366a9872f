-- What instances used, minute by minute.
-- The key begins with the minute, so that old ones go cheaply.

CREATE TABLE "samples" ("minute" INTEGER NOT NULL, "host" TEXT NOT NULL, "container_name" TEXT NOT NULL,
  "service" TEXT NOT NULL, "cpu_percent" REAL, "memory_bytes" INTEGER, "memory_limit_bytes" INTEGER,
  "network_received_bytes" INTEGER, "network_sent_bytes" INTEGER, "disk_read_bytes" INTEGER,
  "disk_written_bytes" INTEGER, "processes" INTEGER, "gpu_memory_bytes" INTEGER, "gpu_percent" REAL,
  PRIMARY KEY ("minute", "host", "container_name")) WITHOUT ROWID;
