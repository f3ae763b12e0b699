-- One row: a learner in a course, with the person's names.
-- From: enrollments and activity, and the platform's external ids and profiles (event_sink.external_id,
--   event_sink.user_profile), by the newest time_last_dumped.
-- Key: the course and the learner.
-- Population: Everybody with a statement about an enrollment or a visit, and with an external id and a profile on the
--   platform.
-- Read by: boards
-- Freshness: with the next read after the profile was delivered
-- Personal data: username, name and email. The view exists only while the sinks external_id and user_profile are on.
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   actor_id: Id of the learner in statements.
--   user_id: Id of the user.
--   username: Username.
--   name: Full name.
--   email: Email address.
WITH
    people AS (
        SELECT course_key, actor_id FROM {enrollments}
        UNION DISTINCT
        SELECT course_key, actor_id FROM {activity}
    ),
    -- The course's people are on the right of both joins, because they are few.
    known AS (
        SELECT people.course_key AS course_key, people.actor_id AS actor_id, ids.user_id AS user_id
        FROM {event_sink.external_id} AS ids
        INNER JOIN people ON people.actor_id = toString(ids.external_user_id)
    )
SELECT
    {org} AS org,
    known.course_key AS course_key,
    known.actor_id AS actor_id,
    any(known.user_id) AS user_id,
    argMax(profiles.username, (profiles.time_last_dumped, profiles.username)) AS username,
    argMax(profiles.name, (profiles.time_last_dumped, profiles.name)) AS name,
    argMax(profiles.email, (profiles.time_last_dumped, profiles.email)) AS email
FROM {event_sink.user_profile} AS profiles
INNER JOIN known ON known.user_id = profiles.user_id
GROUP BY course_key, actor_id
