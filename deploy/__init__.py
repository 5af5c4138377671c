"""Puts micro-etl on AWS ECS Fargate, runs it, and proves what it published.

`deploy.sh` is the front of this program; `pipeline.py` shows all of its steps in order. Modules
whose functions build something (`task_definition`, `explain`, `policies`, `network`) never talk to
anything; modules whose functions act take what they talk to as an argument.
"""
