-- The mail domains that are ours: streak_own_domains, or those of the users, without the public ones such as gmail.com.
{%- set given = streak.streak_setting('streak_own_domains') -%}
{%- set given = [given] if given is string else given %}
{%- if given %}
{%- for domain in given %}
select {{ streak.streak_quoted(domain | lower | trim) }} as domain
{{ 'union all' if not loop.last }}
{%- endfor %}
{%- else %}
select distinct {{ dbt.split_part('email', "'@'", 2) }} as domain
from {{ ref('int_streak__users') }}
where
    email like '%_@_%'
    and {{ dbt.split_part('email', "'@'", 2) }} not in (
        {%- for domain in streak.streak_setting('streak_public_domains') -%}
        {{ streak.streak_quoted(domain) }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    )
{%- endif %}
