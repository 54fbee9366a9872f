-- Who ran what, and which climbs were starts, of which spec.

ALTER TABLE "runs" ADD COLUMN "user" TEXT;
ALTER TABLE "runs" ADD COLUMN "controller" TEXT;
ALTER TABLE "health" ADD COLUMN "started_spec" TEXT;
