-- The money of each box: the first of the fields in streak_amount_fields that has some.
-- One row per box with such a field.
{%- set fields = streak.streak_setting('streak_amount_fields') -%}
{%- set fields = [fields] if fields is string else fields %}
with written as (
    select
        field_values.box_key,
        field_values.field_key,
        field_values.field_name,
        -- A JSON number is what it is, to the last digit; text is read as people write money, "1.200" too.
        case
            when {{ streak.streak_matches('field_values.raw_value', '-?[0-9]{1,15}([.][0-9]+)?') }}
                then cast(field_values.raw_value as {{ streak.streak_type('money') }})
            when field_values.raw_value not like '"%'
                then cast(field_values.number_value as {{ streak.streak_type('money') }})
        end as json_number,
        coalesce(field_values.text_value, cast(field_values.number_value as {{ streak.streak_type('text') }})) as written,
        case
            {%- for field in fields %}
            when lower(trim(field_values.field_name)) = lower({{ streak.streak_quoted(field | trim) }}) then {{ loop.index }}
            {%- endfor %}
        end as priority
    from {{ ref('stg_streak__box_field_values') }} as field_values
    -- A box that was moved may still have values of its old pipeline.
    inner join {{ ref('stg_streak__boxes') }} as boxes
        on field_values.box_key = boxes.key and field_values.pipeline_key = boxes.pipeline_key
    where field_values.field_type is null or field_values.field_type in ('TEXT_INPUT', 'FORMULA', 'DROPDOWN')
),

candidates as (
    select * from written
    where priority is not null and written is not null and trim(written) <> ''
),

{{ streak.streak_money('candidates') }},

ranked as (
    select
        box_key,
        field_name as amount_field,
        written as amount_text,
        coalesce(json_number, amount) as amount,
        row_number() over (
            partition by box_key
            order by
                case when coalesce(json_number, amount) is null then 1 else 0 end,
                priority,
                field_key
        ) as place
    from money
)

select box_key, amount_field, amount_text, amount
from ranked
where place <= 1
