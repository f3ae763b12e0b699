-- One row: a week of a run of a course, or of a former run of the same course, counted from its start.
-- From: run_days, and the platform's courses (event_sink.course_overviews) for their starts.
-- Key: the run that is looked at, the run that is compared, and the week. Compared are the run itself and as many
--   former ones as the rule runs_compared says, newest first; runs without a statement are left out. Former runs are
--   those of the same organization and course that started earlier.
-- Population: Everybody with a statement about the run, whether still enrolled or not.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the run that is looked at.
--   runs_back: 0 for this run, 1 for the one before it, and so on.
--   run: Last part of the key of the compared run, such as "2025".
--   starts_on: Day on which week 1 of the compared run begins, UTC: its start on the platform. The first day with an
--     act stands in for a start that is missing, the platform's default of 2030-01-01, or not from 2010 to 2099; while
--     there are no acts, the first day with an enrollment.
--   week: 1 for the first seven days from the start, 2 for the next; 0 for all days before. Weeks without an act are
--     rows, too, until the last week with a statement.
--   is_over: Whether the week is over.
--   enrolled: Learners who had enrolled by the end of the week, as statements say; those who left later are included.
--     This number and all that follow are null for 1 to 4 learners of a former run (rule smallest_group).
--   active: Learners who did something in the week.
--   active_share: Share of them in those who had enrolled, at most 1; null without any.
--   answering: Learners who answered a problem in the week.
--   completing: Learners who completed a block in the week.
--   passed: Learners who had passed the course by the end of the week, once or for good.
WITH
    starts AS (
        SELECT
            org,
            course_key,
            parseDateTime64BestEffortOrZero(
                argMax(overviews.course_start, (overviews.time_last_dumped, overviews.course_start)), 6, 'UTC') AS starts_at,
            starts_at >= toDateTime64('2010-01-01 00:00:00', 6, 'UTC')
                AND starts_at < toDateTime64('2100-01-01 00:00:00', 6, 'UTC')
                AND starts_at != toDateTime64('2030-01-01 00:00:00', 6, 'UTC') AS is_known
        FROM {event_sink.course_overviews} AS overviews
        GROUP BY org, course_key
    ),
    bounds AS (
        SELECT
            org,
            course,
            course_key,
            if(max(states.has_acts) = 1, minIf(day, states.has_acts = 1), min(day)) AS first_day,
            least(max(day), toDate({now}, 'UTC')) AS last_day
        FROM {run_days} AS states
        GROUP BY org, course, course_key
    ),
    runs AS (
        SELECT
            bounds.org AS org,
            bounds.course AS course,
            bounds.course_key AS course_key,
            if(starts.is_known, toDate(starts.starts_at, 'UTC'), bounds.first_day) AS starts_on,
            bounds.last_day AS last_day
        FROM bounds
        INNER JOIN starts ON starts.org = bounds.org AND starts.course_key = bounds.course_key
    ),
    pairs AS (
        SELECT
            viewed.org AS org,
            viewed.course AS course,
            viewed.course_key AS course_key,
            compared.course_key AS compared_key,
            compared.starts_on AS starts_on,
            if(compared.last_day < compared.starts_on, 0, intDiv(compared.last_day - compared.starts_on, 7) + 1) AS last_week,
            toUInt32(row_number() OVER (
                PARTITION BY viewed.org, viewed.course_key
                ORDER BY compared.starts_on DESC, compared.course_key DESC) - 1) AS runs_back
        FROM runs AS viewed
        INNER JOIN runs AS compared ON compared.org = viewed.org AND compared.course = viewed.course
        WHERE (compared.starts_on, compared.course_key) <= (viewed.starts_on, viewed.course_key)
    ),
    grid AS (
        SELECT *, toUInt32(arrayJoin(range(toUInt32(last_week + 1)))) AS week
        FROM pairs
        WHERE runs_back <= {rule.runs_compared}
    ),
    counted AS (
        SELECT
            pairs.org AS org,
            pairs.course_key AS course_key,
            pairs.compared_key AS compared_key,
            toUInt32(if(days.day < pairs.starts_on, 0, intDiv(days.day - pairs.starts_on, 7) + 1)) AS week,
            uniqExactMergeState(days.enrolled) AS enrolled_state,
            uniqExactMerge(days.active) AS active,
            uniqExactMerge(days.answering) AS answering,
            uniqExactMerge(days.completing) AS completing,
            uniqExactMergeState(days.passed) AS passed_state
        FROM {run_days} AS days
        INNER JOIN pairs ON pairs.org = days.org AND pairs.course = days.course AND pairs.compared_key = days.course_key
        WHERE pairs.runs_back <= {rule.runs_compared}
        GROUP BY org, course_key, compared_key, week
    ),
    weeks AS (
        SELECT
            grid.org AS org,
            grid.course_key AS course_key,
            grid.compared_key AS compared_key,
            grid.runs_back AS runs_back,
            grid.starts_on AS starts_on,
            grid.week AS week,
            counted.active AS active,
            counted.answering AS answering,
            counted.completing AS completing,
            uniqExactMerge(counted.enrolled_state) OVER so_far AS enrolled,
            uniqExactMerge(counted.passed_state) OVER so_far AS passed
        FROM grid
        LEFT JOIN counted
            ON counted.org = grid.org AND counted.course_key = grid.course_key
                AND counted.compared_key = grid.compared_key AND counted.week = grid.week
        WINDOW so_far AS (
            PARTITION BY grid.org, grid.course_key, grid.compared_key ORDER BY grid.week
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    )
SELECT
    org,
    course_key,
    runs_back,
    extract(compared_key, '[+/]([^+/]+)(?:[+]ccx@[0-9]+)?$') AS run,
    starts_on,
    week,
    starts_on + toInt32(week) * 7 <= toDate({now}, 'UTC') AS is_over,
    if(runs_back > 0 AND weeks.enrolled BETWEEN 1 AND {rule.smallest_group} - 1, NULL, weeks.enrolled) AS enrolled,
    if(runs_back > 0 AND weeks.active BETWEEN 1 AND {rule.smallest_group} - 1, NULL, weeks.active) AS active,
    if(
        weeks.enrolled = 0 OR isNull(active) OR isNull(enrolled), NULL,
        round(least(1, weeks.active / weeks.enrolled), 4)) AS active_share,
    if(runs_back > 0 AND weeks.answering BETWEEN 1 AND {rule.smallest_group} - 1, NULL, weeks.answering) AS answering,
    if(runs_back > 0 AND weeks.completing BETWEEN 1 AND {rule.smallest_group} - 1, NULL, weeks.completing) AS completing,
    if(runs_back > 0 AND weeks.passed BETWEEN 1 AND {rule.smallest_group} - 1, NULL, weeks.passed) AS passed
FROM weeks
