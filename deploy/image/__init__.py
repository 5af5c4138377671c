"""Builds the image of a commit and pushes it to ECR."""
