{# Common table expressions that read money as people write it: "$12,000", "12.000,50 €", "12k", "CHF 1'200.–", "120万円".
   They begin with the table `from_table`, which has a column `written`, and end with `money`, which has all of its
   columns and `amount`. Text that is no single figure ("2 x 500", "10-20k", "15 %", "n/a") is null, never a guess.

   With one separator and three digits behind it ("1.200", "1,200") the currency tells, for nobody writes three decimals
   of a currency; without a currency the variable streak_amount_locale does. #}
{% macro streak_money(from_table) %}
    {%- set point_is_decimal = streak.streak_setting('streak_amount_locale') | string | trim == '1,200.50' -%}
    {%- set full_width = "'０１２３４５６７８９，．￥', '0123456789,.¥'" -%}
    {%- set spaces = "[\u00a0\u2009\u202f\u3000’']" -%}
    {%- set dashes = '[−–—]' -%}
    {%- set figure = '[0-9][0-9 .,]*' -%}
    {%- set signs = '€$£¥₽₴₸₺₩₪₹₫฿' -%}
    {%- set currencies = '(' ~ [
        'eur', 'euro', 'usd', 'chf', 'fr', 'gbp', 'jpy', 'cny', 'rmb', 'inr', 'krw', 'cad', 'aud', 'nzd', 'sgd', 'hkd',
        'sek', 'nok', 'dkk', 'kr', 'pln', 'zł', 'czk', 'kč', 'huf', 'ft', 'ron', 'lei', 'rub', 'руб', 'р', 'uah', 'грн',
        'kzt', 'try', 'tl', 'ils', 'brl', 'mxn', 'zar', 'thb', 'aed'
    ] | join('|') ~ ')[.]?' -%}
    {%- set end_of_unit = '([ .,' ~ signs ~ '/(].*)?' -%}
money_spelled as (
    -- Apostrophes and all kinds of spaces part thousands.
    select
        {{ from_table }}.*,
        lower(trim({{ streak.streak_replaced(
            streak.streak_replaced('translate(written, ' ~ full_width ~ ')', spaces, ' '), dashes, '-'
        ) }})) as spelled
    from {{ from_table }}
),

money_in_parts as (
    select
        money_spelled.*,
        case
            when {{ streak.streak_matches('spelled', '[^0-9%]*' ~ figure ~ '[^0-9%]*') }}
                then rtrim({{ streak.streak_part('spelled', figure) }}, ' .,')
        end as figure,
        coalesce({{ streak.streak_part('spelled', '^[^0-9]+') }}, '') as before_it,
        coalesce(trim({{ streak.streak_part('spelled', '[^0-9]+$') }}, ' .,-'), '') as after_it
    from money_spelled
),

money_in_digits as (
    select
        money_in_parts.*,
        case
            when not {{ streak.streak_matches('figure', '.* .*') }} then figure
            when {{ streak.streak_matches('figure', '[0-9]{1,3}( [0-9]{3})+([.,][0-9]+)?') }} then replace(figure, ' ', '')
        end as digits,
        (
            {{ streak.streak_matches('before_it', '.*[' ~ signs ~ '].*') }}
            or {{ streak.streak_matches('after_it', '.*[' ~ signs ~ '円元].*') }}
            or {{ streak.streak_matches('trim(before_it)', currencies) }}
            or {{ streak.streak_matches('after_it', currencies) }}
        ) as has_currency
    from money_in_parts
),

money_as_number as (
    select
        money_in_digits.*,
        case
            -- 12000
            when {{ streak.streak_matches('digits', '[0-9]+') }} then digits
            -- 12.000,50
            when {{ streak.streak_matches('digits', '[0-9]{1,3}([.][0-9]{3})+,[0-9]+') }}
                then replace(replace(digits, '.', ''), ',', '.')
            -- 12,000.50, and as in India 12,00,000.50
            when {{ streak.streak_matches('digits', '[0-9]{1,3}(,[0-9]{2,3})*,[0-9]{3}[.][0-9]+') }}
                then replace(digits, ',', '')
            -- 1.200.000
            when {{ streak.streak_matches('digits', '[0-9]{1,3}([.][0-9]{3}){2,}') }} then replace(digits, '.', '')
            -- 1,200,000
            when {{ streak.streak_matches('digits', '[0-9]{1,3}(,[0-9]{2,3})+,[0-9]{3}') }} then replace(digits, ',', '')
            -- 1.200 or 1,200
            when {{ streak.streak_matches('digits', '[1-9][0-9]{0,2}[.][0-9]{3}') }}
                and (has_currency{{ ' or true' if not point_is_decimal }}) then replace(digits, '.', '')
            when {{ streak.streak_matches('digits', '[1-9][0-9]{0,2},[0-9]{3}') }}
                and (has_currency{{ ' or true' if point_is_decimal }}) then replace(digits, ',', '')
            -- 12.5 or 12,5
            when {{ streak.streak_matches('digits', '[0-9]+[.,][0-9]+') }} then replace(digits, ',', '.')
        end as number_text,
        case
            when {{ streak.streak_matches('after_it', '(k|tsd|тыс)' ~ end_of_unit) }} then 1000
            when {{ streak.streak_matches('after_it', '(m|mn|mio|mln|million|millions|млн)' ~ end_of_unit) }} then 1000000
            when after_it like '万%' then 10000
            when after_it like '億%' then 100000000
            else 1
        end as times,
        case
            when trim(before_it) = '-' or {{ streak.streak_matches('before_it', '(.*[ ' ~ signs ~ '])?-[' ~ signs ~ ']?') }}
                then -1
            -- (1,200.50), as accountants have it
            when {{ streak.streak_matches('before_it', '[' ~ signs ~ ' ]*[(][' ~ signs ~ ' ]*') }} and after_it like ')%' then -1
            else 1
        end as sign
    from money_in_digits
),

money as (
    select
        money_as_number.*,
        case
            when {{ streak.streak_matches('number_text', '[0-9]{1,15}([.][0-9]{1,9})?') }}
                then cast(number_text as {{ streak.streak_type('money') }}) * times * sign
        end as amount
    from money_as_number
)
{%- endmacro %}
