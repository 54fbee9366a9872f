-- The most memory that models were seen to take.

CREATE TABLE "peaks" ("image" TEXT NOT NULL, "model" TEXT NOT NULL, "context" INTEGER NOT NULL,
  "gpu_kind" TEXT NOT NULL, "host" TEXT NOT NULL, "container_name" TEXT NOT NULL, "memory_bytes" INTEGER,
  "gpu_bytes" INTEGER, "at" REAL NOT NULL, PRIMARY KEY ("image", "model", "context", "gpu_kind")) WITHOUT ROWID;
