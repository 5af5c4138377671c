"""Airflow: run the task that ./deploy.sh has deployed, every hour.

Needs apache-airflow-providers-amazon. The names are those of your environment file.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator
from airflow.sdk import DAG

with DAG(
    dag_id="micro_etl_launches",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # a run publishes what the source has now, not what it had an hour ago
    max_active_runs=1,
) as dag:
    EcsRunTaskOperator(
        task_id="publish",
        cluster="my-cluster",
        task_definition="micro-etl-launches",  # the family: its newest revision
        launch_type="FARGATE",
        network_configuration={
            "awsvpcConfiguration": {
                "subnets": ["subnet-0123456789abcdef0"],
                "securityGroups": ["sg-0123456789abcdef0"],
                "assignPublicIp": "ENABLED",
            }
        },
        overrides={
            "containerOverrides": [
                {
                    "name": "micro-etl",
                    "environment": [
                        {"name": "RUN_ID", "value": "{{ run_id }}_{{ ti.try_number }}"},
                    ],
                }
            ]
        },
        container_name="micro-etl",
        awslogs_group="/ecs/micro-etl",
        awslogs_stream_prefix="run",
        skip_on_exit_code=75,  # another run published first: skipped, not failed
        reattach=True,  # a restarted worker follows the running task instead of starting another
        retries=3,
        retry_delay=timedelta(minutes=2),
        retry_exponential_backoff=True,
        execution_timeout=timedelta(hours=1),
    )
