"""A round of fine-tuning, whoever runs it: plan, gate, runners, worker, learner."""
