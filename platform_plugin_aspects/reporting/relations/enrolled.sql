-- One row: an enrollment of a learner in a course, as the platform has it.
-- From: the platform's enrollments (event_sink.course_enrollment), by the newest time_last_dumped.
-- Key: the course and the user.
-- Read by: relations
-- Freshness: with the next read after the enrollment was delivered
-- Columns:
--   course_key: Key of the course.
--   user_id: Id of the user.
--   is_active: Whether the learner is enrolled now.
--   mode: Enrollment track, such as "audit".
--   enrolled_at: Moment of the enrollment.
SELECT
    course_key,
    user_id,
    argMax(enrollments.is_active, (enrollments.time_last_dumped, enrollments.is_active)) AS is_active,
    argMax(CAST(enrollments.mode AS String), (enrollments.time_last_dumped, enrollments.mode)) AS mode,
    parseDateTime64BestEffortOrZero(
        argMax(enrollments.created, (enrollments.time_last_dumped, enrollments.created)), 6, 'UTC') AS enrolled_at
FROM {event_sink.course_enrollment} AS enrollments
GROUP BY course_key, user_id
