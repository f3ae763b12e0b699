-- One row: a course.
-- From: enrolled, learner_standing and course_names.
-- Key: the course. Courses without a learner are rows, too.
-- Population: enrolled and new_7_days count the platform's enrollments. The other numbers count learners with
--   statements; medians and at_risk leave out those who have left.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   course_name: Name of the course.
--   course_run: Run of the course.
--   enrolled: Learners who are enrolled now, as the platform has it.
--   active_7_days: Learners who did something today or on the 6 days before, UTC.
--   active_7_days_before: Learners who did something on the 7 days before those.
--   new_7_days: Learners who enrolled today or on the 6 days before, as the platform has it, also if they left since.
--   left_7_days: Learners whose newest statement about the enrollment says that they left, on these days.
--   median_progress: Median progress of the learners who have not left, from 0 to 1; null without any.
--   median_grade: Median grade of the learners who have one and have not left, from 0 to 1; null without any, and for
--     groups below the rule smallest_group unless boards show names.
--   at_risk: Learners at risk, as learner_status defines it.
--   passed: Learners who pass, including those who have left.
--   published_at: Moment at which the platform last changed the course, as a publish does; null where unknown.
--   last_act: Moment at which a learner last did something; null if nobody has.
WITH
    platform AS (
        SELECT
            course_key,
            countIf(is_active) AS enrolled,
            countIf(toDate(enrolled_at, 'UTC') BETWEEN toDate({now}, 'UTC') - 6 AND toDate({now}, 'UTC')) AS new_7_days
        FROM {enrolled}
        GROUP BY course_key
    ),
    learners AS (
        SELECT
            course_key,
            countIf(status.active_7_days) AS active_now,
            countIf(status.active_7_days_before) AS active_before,
            max(last_visit) AS last_act,
            quantileExactInclusiveIf(0.5)(progress, enrollment != 'left') AS median_progress,
            quantileExactInclusiveIf(0.5)(assumeNotNull(grade), enrollment != 'left' AND isNotNull(grade)) AS median_grade,
            countIf(enrollment != 'left') AS staying,
            countIf(enrollment != 'left' AND isNotNull(grade)) AS with_grade,
            countIf(is_away OR never_visited OR has_low_grade OR is_behind) AS at_risk,
            countIf(status.passed) AS passed,
            countIf(
                enrollment = 'left'
                AND toDate(assumeNotNull(changed_at), 'UTC') BETWEEN toDate({now}, 'UTC') - 6 AND toDate({now}, 'UTC')
            ) AS left_7_days
        FROM {learner_standing} AS status
        GROUP BY course_key
    )
SELECT
    courses.org AS org,
    courses.course_key AS course_key,
    courses.course_name AS course_name,
    courses.course_run AS course_run,
    platform.enrolled AS enrolled,
    learners.active_now AS active_7_days,
    learners.active_before AS active_7_days_before,
    platform.new_7_days AS new_7_days,
    learners.left_7_days AS left_7_days,
    if(learners.staying = 0, NULL, round(learners.median_progress, 4)) AS median_progress,
    if(learners.with_grade < {rule.smallest_shown}, NULL, round(learners.median_grade, 4)) AS median_grade,
    learners.at_risk AS at_risk,
    learners.passed AS passed,
    courses.published_at AS published_at,
    learners.last_act AS last_act
FROM {course_names} AS courses
LEFT JOIN platform ON platform.course_key = courses.course_key
LEFT JOIN learners ON learners.course_key = courses.course_key
