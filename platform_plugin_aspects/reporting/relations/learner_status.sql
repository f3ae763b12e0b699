-- One row: a learner in a course, by the id in statements.
-- From: learner_standing, answer_states and videos.
-- Key: the course and the learner.
-- Population: Everybody with a statement about an enrollment or a visit.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   actor_id: Id of the learner in statements; learner_names has names.
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
--   reasons: The reasons, in words; empty if not at risk. "no visit for 7 days": the last visit is longer ago than the
--     rule away_days. "never visited": the enrollment is, and there was no visit. "low grade": the grade is below the
--     rule low_grade. "behind the others": the progress is below the rule behind, times the course's median.
WITH
    -- One row for what each relation knows of a learner, and nothing in the columns of the others: adding these up is
    -- faster than joining the relations.
    known AS (
        SELECT
            course_key, actor_id, 1 AS is_learner, enrollment, mode, enrolled_at, last_visit, progress, grade, passed,
            arrayStringConcat(
                arrayFilter(reason -> reason != '', [
                    if(is_away, 'no visit for {rule.away_days} days', ''),
                    if(never_visited, 'never visited', ''),
                    if(has_low_grade, 'low grade', ''),
                    if(is_behind, 'behind the others', '')]),
                '; ') AS reasons,
            days_active, 0 AS problems, 0 AS problems_right, 0 AS attempts, 0 AS videos, posts
        FROM {learner_standing}
        UNION ALL
        SELECT
            course_key, actor_id, 0, '', '', NULL, NULL, 0, NULL, false,
            '', 0, count(), countIf(right_last), sum(states.attempts), 0, 0
        FROM {answer_states} AS states
        WHERE part = ''
        GROUP BY course_key, actor_id
        UNION ALL
        SELECT
            course_key, actor_id, 0, '', '', NULL, NULL, 0, NULL, false,
            '', 0, 0, 0, 0, uniqExact(video_key), 0
        FROM {videos}
        GROUP BY course_key, actor_id
    )
SELECT
    {org} AS org,
    known.course_key AS course_key,
    known.actor_id AS actor_id,
    max(known.enrollment) AS enrollment,
    max(known.mode) AS mode,
    max(known.enrolled_at) AS enrolled_at,
    max(known.last_visit) AS last_visit,
    sum(known.days_active) AS days_active,
    max(known.progress) AS progress,
    max(known.grade) AS grade,
    max(known.passed) AS passed,
    sum(known.problems) AS problems,
    sum(known.problems_right) AS problems_right,
    sum(known.attempts) AS attempts,
    sum(known.videos) AS videos,
    sum(known.posts) AS posts,
    max(known.reasons) != '' AS at_risk,
    max(known.reasons) AS reasons
FROM known
GROUP BY course_key, actor_id
HAVING max(known.is_learner) = 1
