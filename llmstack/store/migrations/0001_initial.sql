-- Models, runs, events and health.

CREATE TABLE "models" ("id" INTEGER NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "host" TEXT NOT NULL,
  "container_name" TEXT NOT NULL, "service" TEXT, "stack" TEXT, "engine" TEXT, "state" TEXT NOT NULL,
  "status" TEXT NOT NULL, "port" INTEGER, "url" TEXT, "installed_version" TEXT, "stopped_on_purpose" INTEGER,
  "last_updated" REAL NOT NULL, "created_at" REAL NOT NULL);
CREATE UNIQUE INDEX "models_host_container_name_name" ON "models" ("host", "container_name", "name");
CREATE TABLE "runs" ("id" INTEGER NOT NULL PRIMARY KEY, "task" TEXT NOT NULL, "command" TEXT NOT NULL,
  "started_at" REAL NOT NULL, "ended_at" REAL, "ms" REAL, "exit_code" INTEGER, "items" TEXT);
CREATE TABLE "events" ("id" INTEGER NOT NULL PRIMARY KEY, "run_id" INTEGER, "ts" REAL NOT NULL, "type" TEXT NOT NULL,
  "task" TEXT NOT NULL, "target" TEXT, "host" TEXT, "kind" TEXT, "message" TEXT NOT NULL, "data" TEXT NOT NULL,
  FOREIGN KEY ("run_id") REFERENCES "runs" ("id") ON DELETE CASCADE);
CREATE INDEX "events_run_id" ON "events" ("run_id");
CREATE INDEX "events_ts" ON "events" ("ts");
CREATE TABLE "health" ("id" INTEGER NOT NULL PRIMARY KEY, "climb" INTEGER NOT NULL, "at" REAL NOT NULL,
  "target" TEXT NOT NULL, "host" TEXT NOT NULL, "kind" TEXT NOT NULL, "container_name" TEXT NOT NULL,
  "rung" TEXT NOT NULL, "ok" INTEGER, "ms" REAL NOT NULL, "detail" TEXT NOT NULL, "first_token_ms" REAL,
  "tokens" INTEGER, "tokens_per_s" REAL, "clock" TEXT, "why" TEXT);
CREATE INDEX "health_climb" ON "health" ("climb");
CREATE INDEX "health_at" ON "health" ("at");
CREATE INDEX "health_target_host_kind_climb" ON "health" ("target", "host", "kind", "climb");
