"""Puts micro-etl on AWS ECS Fargate, runs it, and proves what it published.

`deploy.sh` is the front of this program; `commands.py` shows what each command does, as steps in
order. `image/`, `task/` and `proof/` hold the steps of a deploy, `account/` what they need in AWS.
"""
