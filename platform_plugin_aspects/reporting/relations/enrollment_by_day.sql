-- One row: a day on which learners enrolled in a course or left it.
-- From: enrolled for enrollments, and enrollments for leaving, whose moment only statements have.
-- Key: the course and the day.
-- Population: Enrollments on the platform. For left: learners with a statement about their enrollment.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   day: Day, UTC.
--   new: Learners who enrolled, as the platform has it.
--   left: Learners whose newest statement about the enrollment says that they left, on this day.
--   enrolled: Learners who had enrolled by the end of the day, less those who had left by then. Learners who left
--     without a statement are still counted here; course_summary has the current number.
WITH
    changes AS (
        SELECT course_key, toDate(enrolled_at, 'UTC') AS day, count() AS new, 0 AS left
        FROM {enrolled}
        GROUP BY course_key, day
        UNION ALL
        SELECT course_key, toDate(last_at, 'UTC') AS day, 0 AS new, count() AS left
        FROM {enrollments}
        WHERE NOT is_enrolled
        GROUP BY course_key, day
    ),
    days AS (SELECT course_key, day, sum(changes.new) AS new, sum(changes.left) AS left FROM changes GROUP BY course_key, day)
SELECT
    {org} AS org,
    course_key,
    day,
    new,
    left,
    sum(toInt64(new) - toInt64(left)) OVER (PARTITION BY course_key ORDER BY day) AS enrolled
FROM days
