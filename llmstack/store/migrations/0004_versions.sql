-- Which versions were installed, and when each was proved ready.

CREATE TABLE "versions" ("id" INTEGER NOT NULL PRIMARY KEY, "target" TEXT NOT NULL, "host" TEXT NOT NULL,
  "kind" TEXT NOT NULL, "source" TEXT NOT NULL, "digest" TEXT NOT NULL, "version" TEXT, "installed_at" REAL NOT NULL,
  "ready_at" REAL NOT NULL);
CREATE UNIQUE INDEX "versions_target_host_kind_digest" ON "versions" ("target", "host", "kind", "digest");
