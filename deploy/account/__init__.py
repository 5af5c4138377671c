"""Makes, checks and removes what an environment is made of in an AWS account."""
