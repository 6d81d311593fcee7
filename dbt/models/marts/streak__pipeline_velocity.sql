{{ config(enabled=streak.streak_enabled('pipeline_velocity')) }}

with boxes as (
    select
        boxes.*,
        {{ streak.streak_month('created_at') }} as created_month,
        {{ streak.streak_month('closed_at') }} as closed_month,
        case when closed_at is not null then {{ streak.streak_days('created_at', 'closed_at') }} end as days_to_close
    from {{ ref('int_streak__boxes') }} as boxes
),

spans as (
    -- From the pipeline's first month to this one, or to the last in which something happened.
    select
        pipelines.pipeline_key,
        pipelines.pipeline_name,
        coalesce(
            least(min(boxes.created_month), min(coalesce(boxes.closed_month, boxes.created_month))),
            {{ streak.streak_month('pipelines.created_at') }}
        ) as first_month,
        greatest(
            {{ streak.streak_month(streak.streak_now()) }},
            coalesce(max(boxes.created_month), {{ streak.streak_month(streak.streak_now()) }}),
            coalesce(max(boxes.closed_month), {{ streak.streak_month(streak.streak_now()) }})
        ) as last_month
    from {{ ref('int_streak__pipelines') }} as pipelines
    left join boxes on pipelines.pipeline_key = boxes.pipeline_key
    group by pipelines.pipeline_key, pipelines.pipeline_name, pipelines.created_at
),

numbers as (
    {{ streak.streak_numbers(3) | indent(4) }}
),

months as (
    select
        spans.pipeline_key,
        spans.pipeline_name,
        {{ streak.streak_date_add('month', 'numbers.n', 'spans.first_month') }} as month
    from spans
    inner join numbers on {{ dbt.datediff('spans.first_month', 'spans.last_month', 'month') }} >= numbers.n
),

created as (
    select pipeline_key, created_month as month, count(*) as created
    from boxes
    group by pipeline_key, created_month
),

closed as (
    select
        pipeline_key,
        closed_month as month,
        count(case when status = 'won' then 1 end) as won,
        count(case when status = 'lost' then 1 end) as lost,
        sum(case when status = 'won' then amount end) as won_amount,
        avg(case when status = 'won' then cast(amount as {{ streak.streak_type('number') }}) end) as average_amount,
        avg(case when status = 'won' then days_to_close end) as cycle_days
    from boxes
    where status in ('won', 'lost')
    group by pipeline_key, closed_month
),

joined as (
    select
        months.pipeline_key,
        months.pipeline_name,
        months.month,
        coalesce(created.created, 0) as created,
        coalesce(closed.won, 0) as won,
        coalesce(closed.lost, 0) as lost,
        coalesce(closed.won_amount, 0) as won_amount,
        closed.average_amount,
        closed.cycle_days
    from months
    left join created on months.pipeline_key = created.pipeline_key and months.month = created.month
    left join closed on months.pipeline_key = closed.pipeline_key and months.month = closed.month
),

running as (
    select
        joined.*,
        sum(created - won - lost) over (
            partition by pipeline_key order by month rows between unbounded preceding and current row
        ) as open_at_end,
        {{ streak.streak_ratio('won', '(won + lost)') }} as win_rate
    from joined
)

select
    pipeline_key,
    pipeline_name,
    month,
    created,
    won,
    lost,
    open_at_end,
    win_rate,
    won_amount,
    average_amount,
    cycle_days,
    -- Money a day: what is open, times the share that is won, times what one brings, by the days that it takes.
    case
        when cycle_days > 0 then open_at_end * win_rate * average_amount / cycle_days
    end as velocity
from running
