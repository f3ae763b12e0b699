-- One row: an enrollment track of a course, by the end of a day on which somebody enrolled in any track.
-- From: enrolled.
-- Key: the course, the mode and the day. Days before the first enrollment in the track are rows, too.
-- Population: Enrollments that are active on the platform, in their current track.
-- Read by: boards
-- Freshness: with the next read after the enrollment was delivered
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   mode: Enrollment track, such as "audit".
--   day: Day, UTC.
--   new: Learners who enrolled on the day, and are still enrolled in the track.
--   enrolled: Learners who had enrolled by the end of the day, and are still enrolled in the track.
WITH
    changes AS (
        SELECT course_key, mode, toDate(enrolled_at, 'UTC') AS day, count() AS new
        FROM {enrolled}
        WHERE is_active
        GROUP BY course_key, mode, day
    ),
    tracks AS (SELECT DISTINCT course_key, mode FROM changes),
    days AS (SELECT DISTINCT course_key, day FROM changes),
    grid AS (
        SELECT tracks.course_key AS course_key, tracks.mode AS mode, days.day AS day
        FROM tracks
        INNER JOIN days ON days.course_key = tracks.course_key
    )
SELECT
    {org} AS org,
    grid.course_key AS course_key,
    grid.mode AS mode,
    grid.day AS day,
    changes.new AS new,
    sum(changes.new) OVER (PARTITION BY grid.course_key, grid.mode ORDER BY grid.day) AS enrolled
FROM grid
LEFT JOIN changes ON changes.course_key = grid.course_key AND changes.mode = grid.mode AND changes.day = grid.day
