-- One row: a course, as it was a week ago.
-- From: events, activity, enrolled, published_blocks and course_names. It is a computation of its own, because states
--   only know the newest of each kind.
-- Key: the course. Courses without a learner are rows, too.
-- Population: that of course_summary, by statements about acts before as_of.
-- Read by: boards
-- Freshness: at once, also for statements that arrive late
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   as_of: Beginning of the day 6 days ago, UTC. All numbers are those of this moment, so they change once a day, and
--     course_summary counts the 7 days after it.
--   new_7_days: Learners who enrolled on the 7 days before, as the platform has it, also if they left since.
--   left_7_days: Learners who left on the 7 days before, by the newest statement about the enrollment then.
--   median_progress: Median progress of the learners who had not left, from 0 to 1, of the blocks that the course has
--     now; null without any.
--   median_grade: Median grade of the learners who had one and had not left, from 0 to 1; null without any, and for
--     groups below the rule smallest_group unless boards show names.
--   at_risk: Learners who were at risk, as learner_status defines it. It is null, and so are the numbers of those who
--     left, progress and grades, where ASPECTS_REPORTING_EVENT_DAYS lets events end: the past cannot be known then.
WITH
    toDate({now}, 'UTC') - 6 AS first_day,
    toDateTime64(first_day, 6, 'UTC') AS moment,
    platform AS (
        SELECT
            course_key,
            countIf(toDate(enrolled_at, 'UTC') BETWEEN first_day - 7 AND first_day - 1) AS new_7_days
        FROM {enrolled}
        GROUP BY course_key
    ),
    -- As in learner_standing.
    known AS (
        SELECT
            newest.course_key AS course_key,
            newest.actor_id AS actor_id,
            maxIf(if(newest.value = 1, 2, 1), newest.kind = 'enrollment') AS enrolled,
            maxOrNullIf(newest.first_at, newest.kind = 'enrollment') AS enrolled_at,
            maxOrNullIf(newest.last_at, newest.kind = 'enrollment') AS changed_at,
            CAST(NULL AS Nullable(DateTime64(6, 'UTC'))) AS last_visit,
            countIf(newest.kind = 'completion' AND newest.value >= 100 AND blocks.number > 0) AS completed,
            max(blocks.number) AS completable,
            maxOrNullIf(newest.value, newest.kind = 'grade') AS grade,
            countIf(newest.kind = 'outcome' AND newest.value = 1) > 0 AS passed,
            countIf(newest.kind = 'enrollment') > 0 AS is_learner
        FROM
        (
            SELECT
                course_key,
                multiIf(
                    verb = 'progressed', 'completion',
                    verb = 'earned', 'grade',
                    verb IN ('passed', 'failed'), 'outcome',
                    'enrollment') AS kind,
                if(verb = 'progressed', object_id, '') AS thing,
                actor_id,
                argMax(
                    multiIf(
                        verb IN ('registered', 'passed'), 1.,
                        verb = 'earned', assumeNotNull(scaled),
                        verb = 'progressed', assumeNotNull(acts.progress),
                        0.),
                    (emission_time, event_id)) AS value,
                min(emission_time) AS first_at,
                max(emission_time) AS last_at
            FROM {events} AS acts
            WHERE verb IN ('registered', 'unregistered', 'progressed', 'earned', 'passed', 'failed')
                AND emission_time < moment
                AND (verb != 'progressed' OR isNotNull(acts.progress))
                AND (verb != 'earned' OR (object_type = 'course' AND isNotNull(scaled)))
                AND (verb NOT IN ('passed', 'failed') OR object_type = 'course')
            GROUP BY course_key, kind, thing, actor_id
        ) AS newest
        LEFT JOIN
        (
            SELECT course_key, usage_key, count() OVER (PARTITION BY course_key) AS number
            FROM {published_blocks}
            WHERE completable
        ) AS blocks ON blocks.course_key = newest.course_key AND blocks.usage_key = newest.thing
        GROUP BY course_key, actor_id
        UNION ALL
        SELECT course_key, actor_id, 0, NULL, NULL, max(states.last_at), 0, 0, NULL, false, true
        FROM {activity} AS states
        WHERE day < first_day
        GROUP BY course_key, actor_id
    ),
    learners AS (
        SELECT
            known.course_key AS course_key,
            known.actor_id AS actor_id,
            max(known.enrolled) = 1 AS has_left,
            max(known.enrolled_at) AS enrolled_at,
            max(known.changed_at) AS changed_at,
            max(known.last_visit) AS last_visit,
            sum(known.completed) AS completed,
            max(known.completable) AS completable,
            max(known.grade) AS grade,
            max(known.passed) AS passed
        FROM known
        GROUP BY course_key, actor_id
        HAVING max(known.is_learner)
    ),
    facts AS (
        SELECT *, round(if(completable > 0, completed / completable, 0), 4) AS progress
        FROM learners
    ),
    compared AS (
        SELECT
            *,
            quantileExactInclusiveIf(0.5)(progress, NOT has_left) OVER (PARTITION BY course_key) AS middle
        FROM facts
    ),
    courses_then AS (
        SELECT
            course_key,
            countIf(has_left AND ifNull(changed_at >= moment - toIntervalDay(7), false)) AS left_7_days,
            max(middle) AS median_progress,
            quantileExactInclusiveIf(0.5)(assumeNotNull(grade), NOT has_left AND isNotNull(grade)) AS median_grade,
            countIf(NOT has_left) AS staying,
            countIf(NOT has_left AND isNotNull(grade)) AS with_grade,
            countIf(
                NOT has_left AND NOT passed AND (
                    ifNull(last_visit < moment - toIntervalDay({rule.away_days}), false)
                    OR (isNull(last_visit) AND ifNull(enrolled_at < moment - toIntervalDay({rule.away_days}), false))
                    OR ifNull(grade < {rule.low_grade}, false)
                    OR progress < {rule.behind} * middle)) AS at_risk
        FROM compared
        GROUP BY course_key
    )
SELECT
    courses.org AS org,
    courses.course_key AS course_key,
    moment AS as_of,
    platform.new_7_days AS new_7_days,
    if({rule.event_days} > 0, NULL, courses_then.left_7_days) AS left_7_days,
    if({rule.event_days} > 0 OR courses_then.staying = 0, NULL, round(courses_then.median_progress, 4)) AS median_progress,
    if(
        {rule.event_days} > 0 OR courses_then.with_grade < {rule.smallest_shown}, NULL,
        round(courses_then.median_grade, 4)) AS median_grade,
    if({rule.event_days} > 0, NULL, courses_then.at_risk) AS at_risk
FROM {course_names} AS courses
LEFT JOIN platform ON platform.course_key = courses.course_key
LEFT JOIN courses_then ON courses_then.course_key = courses.course_key
