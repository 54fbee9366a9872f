# Include this in a Makefile (`include llmstack.mk`), or use it alone: make -f llmstack.mk models
.PHONY: models models-check models-health models-down

models: ## make everything in the inventory true, and prove that each model answers
	llmstack up

models-check: ## show what `make models` would do
	llmstack up --check --diff

models-health: ## ask every model
	llmstack health

models-down: ## stop and remove; weights stay
	llmstack down
