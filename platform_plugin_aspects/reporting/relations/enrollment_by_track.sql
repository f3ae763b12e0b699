-- One row: an enrollment track of a course.
-- From: enrolled.
-- Key: the course and the mode.
-- Population: Enrollments that are active on the platform.
-- Read by: boards
-- Freshness: with the next read after the enrollment was delivered
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   mode: Enrollment track, such as "audit".
--   enrolled: Learners who are enrolled in it now.
SELECT
    {org} AS org,
    course_key,
    mode,
    count() AS enrolled
FROM {enrolled}
WHERE is_active
GROUP BY course_key, mode
