-- What an engine told of a model's instance last, to tell what happened since.

ALTER TABLE "models" ADD COLUMN "container_id" TEXT;
ALTER TABLE "models" ADD COLUMN "started_at" REAL;
ALTER TABLE "models" ADD COLUMN "ended_at" REAL;
ALTER TABLE "models" ADD COLUMN "restarts" INTEGER;
ALTER TABLE "models" ADD COLUMN "out_of_memory" SMALLINT;
