-- Which process a run is, to tell one that was killed from one that goes on.

ALTER TABLE "runs" ADD COLUMN "process" TEXT;
