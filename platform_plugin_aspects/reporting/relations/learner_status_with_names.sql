-- One row: a learner in a course, with the status and the person's names. Boards list learners at risk from it.
-- From: learner_status and learner_names.
-- Key: the course and the learner.
-- Population: That of learner_status. Names are empty where the platform's external ids or profiles do not have the
--   learner.
-- Read by: boards
-- Freshness: at once; names with the next read after the profile was delivered
-- Personal data: username, name and email. The view exists only while the sinks external_id and user_profile are on.
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   actor_id: Id of the learner in statements.
--   user_id: Id of the user; null where unknown.
--   username: Username.
--   name: Full name.
--   email: Email address.
--   enrollment: "enrolled", "left", or "unknown" without a statement about it.
--   mode: Enrollment track; empty where unknown.
--   enrolled_at: Moment of the first statement about the enrollment; null where unknown.
--   last_visit: Moment at which the learner last did something in the course; null if never.
--   days_active: Days on which the learner did something in the course.
--   progress: Share of the blocks that learners can complete that the learner completed, from 0 to 1.
--   grade: Newest grade of the course, from 0 to 1; null without one.
--   passed: Whether the learner passes the course, by the newest statement about it.
--   problems: Problems answered.
--   problems_right: Problems whose last answer is right.
--   attempts: Attempts at all problems together.
--   videos: Videos whose player the learner used.
--   posts: Posts in the forum.
--   at_risk: Whether a reason applies to a learner who has not left and does not pass.
--   reasons: The reasons, in words, as learner_status defines them; empty if not at risk.
SELECT
    status.org AS org,
    status.course_key AS course_key,
    status.actor_id AS actor_id,
    if(names.actor_id = '', NULL, names.user_id) AS user_id,
    names.username AS username,
    names.name AS name,
    names.email AS email,
    status.enrollment AS enrollment,
    status.mode AS mode,
    status.enrolled_at AS enrolled_at,
    status.last_visit AS last_visit,
    status.days_active AS days_active,
    status.progress AS progress,
    status.grade AS grade,
    status.passed AS passed,
    status.problems AS problems,
    status.problems_right AS problems_right,
    status.attempts AS attempts,
    status.videos AS videos,
    status.posts AS posts,
    status.at_risk AS at_risk,
    status.reasons AS reasons
FROM {learner_status} AS status
LEFT JOIN {learner_names} AS names ON names.course_key = status.course_key AND names.actor_id = status.actor_id
