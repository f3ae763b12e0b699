-- One row: a learner in a course, by the id in statements.
-- From: enrollments, activity, completions, grades, outcomes, answer_states, videos and course_structure.
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
    completable AS (
        SELECT course_key, countIf(completable) AS blocks FROM {course_structure} GROUP BY course_key
    ),
    -- One row for what each relation knows of a learner, and nothing in the columns of the others: adding these up is
    -- faster than joining the relations.
    known AS (
        SELECT
            course_key, actor_id, if(is_enrolled, 2, 1) AS enrolled, mode, toNullable(first_at) AS enrolled_at,
            CAST(NULL AS Nullable(DateTime64(6, 'UTC'))) AS last_visit, 0 AS days, 0 AS completed,
            CAST(NULL AS Nullable(Float64)) AS grade, false AS passed,
            0 AS problems, 0 AS problems_right, 0 AS attempts, 0 AS videos, 0 AS posts, 1 AS is_learner
        FROM {enrollments}
        UNION ALL
        SELECT
            course_key, actor_id, 0, '', NULL, max(states.last_at), uniqExact(day), 0, NULL, false, 0, 0, 0, 0,
            uniqExactMergeIf(states.posts, kind = 'posted'), 1
        FROM {activity} AS states
        GROUP BY course_key, actor_id
        UNION ALL
        SELECT
            states.course_key AS course_key, states.actor_id AS actor_id, 0, '', NULL, NULL, 0, count(), NULL, false,
            0, 0, 0, 0, 0, 0
        FROM {completions} AS states
        INNER JOIN (SELECT course_key, usage_key FROM {course_structure} WHERE completable) AS blocks
            ON blocks.course_key = states.course_key AND blocks.usage_key = states.usage_key
        WHERE states.progress >= 100
        GROUP BY course_key, actor_id
        UNION ALL
        SELECT course_key, actor_id, 0, '', NULL, NULL, 0, 0, toNullable(score), false, 0, 0, 0, 0, 0, 0
        FROM {grades}
        WHERE subsection_key = ''
        UNION ALL
        SELECT course_key, actor_id, 0, '', NULL, NULL, 0, 0, NULL, passed, 0, 0, 0, 0, 0, 0
        FROM {outcomes}
        UNION ALL
        SELECT
            course_key, actor_id, 0, '', NULL, NULL, 0, 0, NULL, false,
            count(), countIf(right_last), sum(states.attempts), 0, 0, 0
        FROM {answer_states} AS states
        WHERE part = ''
        GROUP BY course_key, actor_id
        UNION ALL
        SELECT
            course_key, actor_id, 0, '', NULL, NULL, 0, 0, NULL, false, 0, 0, 0, uniqExact(video_key), 0, 0
        FROM {videos}
        GROUP BY course_key, actor_id
    ),
    learners AS (
        SELECT
            known.course_key AS course_key,
            known.actor_id AS actor_id,
            max(known.enrolled) AS state,
            max(known.mode) AS mode,
            max(known.enrolled_at) AS enrolled_at,
            max(known.last_visit) AS last_visit,
            sum(known.days) AS days_active,
            sum(known.completed) AS completed,
            max(known.grade) AS grade,
            max(known.passed) AS passed,
            sum(known.problems) AS problems,
            sum(known.problems_right) AS problems_right,
            sum(known.attempts) AS attempts,
            sum(known.videos) AS videos,
            sum(known.posts) AS posts
        FROM known
        GROUP BY course_key, actor_id
        HAVING max(known.is_learner) = 1
    ),
    facts AS (
        SELECT
            learners.*,
            multiIf(state = 0, 'unknown', state = 2, 'enrolled', 'left') AS enrollment,
            round(if(completable.blocks > 0, completed / completable.blocks, 0), 4) AS progress,
            enrollment != 'left' AND NOT passed AS may_be_at_risk
        FROM learners
        LEFT JOIN completable ON completable.course_key = learners.course_key
    ),
    compared AS (
        SELECT
            *,
            quantileExactInclusiveIf(0.5)(progress, enrollment != 'left') OVER (PARTITION BY course_key) AS median_progress
        FROM facts
    )
SELECT
    {org} AS org,
    course_key,
    actor_id,
    enrollment,
    mode,
    enrolled_at,
    last_visit,
    days_active,
    progress,
    grade,
    passed,
    problems,
    problems_right,
    attempts,
    videos,
    posts,
    reasons != '' AS at_risk,
    if(NOT may_be_at_risk, '', arrayStringConcat(arrayFilter(reason -> reason != '', [
        if(
            isNotNull(last_visit) AND last_visit < {now} - toIntervalDay({rule.away_days}),
            'no visit for {rule.away_days} days', ''),
        if(
            isNull(last_visit) AND ifNull(enrolled_at < {now} - toIntervalDay({rule.away_days}), false),
            'never visited', ''),
        if(ifNull(grade < {rule.low_grade}, false), 'low grade', ''),
        if(progress < {rule.behind} * median_progress, 'behind the others', '')]), '; ')) AS reasons
FROM compared
