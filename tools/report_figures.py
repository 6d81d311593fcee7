"""The queries of the marts for report.html, in DuckDB's SQL: name of the figures -> query."""

from __future__ import annotations

QUERIES = {
    "teams": "SELECT name FROM main_streak_staging.stg_streak__teams ORDER BY creation_date",
    "totals": """
        SELECT
            count(*) FILTER (status = 'open') AS open,
            sum(amount) FILTER (status = 'open') AS open_amount,
            count(*) FILTER (status = 'won' AND closed_at >= $today - INTERVAL 90 DAY) AS won,
            sum(amount) FILTER (status = 'won' AND closed_at >= $today - INTERVAL 90 DAY)
                AS won_amount,
            count(*) FILTER (is_stale) AS stale,
            sum(amount) FILTER (is_stale) AS stale_amount,
            sum(overdue_tasks) AS overdue_tasks,
            count(*) FILTER (overdue_tasks > 0) AS overdue_boxes,
            (SELECT median(reply_minutes) FROM (
                SELECT median_reply_minutes AS reply_minutes FROM streak__email_engagement
                WHERE last_email_at >= $today - INTERVAL 90 DAY
            )) AS reply_minutes
        FROM streak__boxes
    """,
    "pipelines": """
        SELECT
            p.key AS pipeline_key,
            p.name AS pipeline,
            count(b.box_key) AS boxes,
            count(*) FILTER (b.status = 'open') AS open,
            count(*) FILTER (b.status = 'won') AS won,
            count(*) FILTER (b.status = 'lost') AS lost,
            sum(b.amount) FILTER (b.status = 'open') AS open_amount,
            median(b.days_to_close) FILTER (b.status = 'won') AS days,
            count(*) FILTER (b.is_stale) AS stale
        FROM main_streak_staging.stg_streak__pipelines p
        LEFT JOIN streak__boxes b ON b.pipeline_key = p.key
        GROUP BY p.key, p.name
        ORDER BY sum(b.amount) IS NULL, boxes DESC, p.name
    """,
    "funnel": """
        SELECT
            pipeline_key, stage_key, stage_status AS status,
            stage_name || CASE WHEN stage_is_deleted THEN ' (deleted)' ELSE '' END AS stage,
            coalesce(stage_position, 1000) AS position,
            sum(reached)::INTEGER AS reached,
            sum(there_now)::INTEGER AS there_now,
            sum(moved_on)::INTEGER AS moved_on,
            sum(lost_here)::INTEGER AS lost_here
        FROM streak__funnel
        WHERE stage_status <> 'lost'
        GROUP BY pipeline_key, stage_key, stage_name, stage_is_deleted, stage_status, stage_position
        HAVING stage_position IS NOT NULL OR sum(reached) > 0
        ORDER BY pipeline_key, position, stage_key
    """,
    "months": """
        WITH windows AS (
            SELECT
                *,
                sum(won) OVER quarter AS won3,
                sum(won + lost) OVER quarter AS closed3,
                sum(won_amount) OVER quarter AS amount3,
                sum(cycle_days * won) OVER quarter AS days3,
                avg(open_at_end) OVER quarter AS open3
            FROM streak__pipeline_velocity
            WINDOW quarter AS (
                PARTITION BY pipeline_key ORDER BY month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW
            )
        )
        SELECT
            pipeline_key, month,
            created::INTEGER AS created, won::INTEGER AS won, lost::INTEGER AS lost,
            CASE WHEN days3 > 0 AND amount3 > 0
                THEN open3 * (won3 / closed3) * (amount3 / won3) / (days3 / won3) END AS velocity
        FROM windows
        WHERE month > date_trunc('month', $today) - INTERVAL 25 MONTH
            AND month < date_trunc('month', $today)
        ORDER BY pipeline_key, month
    """,
    "stays": """
        SELECT
            pipeline_key, stage_name AS stage, stage_position AS position,
            count(*) AS boxes,
            quantile_cont(days, 0.25) AS quarter,
            median(days) AS half,
            quantile_cont(days, 0.75) AS three_quarters
        FROM streak__box_stages
        WHERE stage_status = 'open' AND left_at IS NOT NULL AND stage_position IS NOT NULL
        GROUP BY pipeline_key, stage_name, stage_position
        ORDER BY pipeline_key, position
    """,
    "weeks": """
        SELECT
            date_trunc('week', day)::DATE AS week,
            sum(emails_sent)::INTEGER AS emails_sent,
            sum(emails_received)::INTEGER AS emails_received,
            sum(comments)::INTEGER AS comments,
            sum(calls + meetings)::INTEGER AS talks,
            sum(tasks_done)::INTEGER AS tasks_done
        FROM streak__daily_activity
        WHERE day >= date_trunc('week', $today) - INTERVAL 26 WEEK
            AND day < date_trunc('week', $today)
        GROUP BY week
        ORDER BY week
    """,
    "stale_owners": """
        SELECT owner_name AS owner, count(*) AS boxes, sum(amount) AS amount
        FROM streak__boxes
        WHERE is_stale
        GROUP BY owner_key, owner_name
        ORDER BY boxes DESC, owner
        LIMIT 12
    """,
    "stale_boxes": """
        SELECT
            box_name AS box, pipeline_name AS pipeline, stage_name AS stage, owner_name AS owner,
            round(coalesce(days_since_touch, days_open))::INTEGER AS days, amount
        FROM streak__boxes
        WHERE is_stale
        ORDER BY amount DESC NULLS LAST, days DESC, box_key
        LIMIT 15
    """,
    "task_load": """
        SELECT
            assignee_name AS person,
            count(*) FILTER (is_overdue) AS overdue,
            count(*) FILTER (NOT is_overdue AND due_at < $today + INTERVAL 8 DAY) AS this_week,
            count(*) FILTER (NOT is_overdue AND due_at >= $today + INTERVAL 8 DAY) AS later,
            count(*) FILTER (due_at IS NULL) AS without_date
        FROM streak__tasks
        WHERE NOT is_done
        GROUP BY assignee_key, assignee_name
        ORDER BY overdue DESC, count(*) DESC, person
        LIMIT 12
    """,
}
