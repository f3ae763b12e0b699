-- One row: a learner in a course, by the id in statements.
-- From: enrollments, activity, completions, grades, outcomes, answer_states, videos, posts and course_structure.
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
    enrolled AS (
        SELECT
            course_key,
            actor_id,
            min(states.first_at) AS first_at,
            argMaxMerge(states.latest) AS latest
        FROM {enrollments} AS states
        GROUP BY course_key, actor_id
    ),
    visited AS (
        SELECT course_key, actor_id, max(states.last_at) AS last_at, uniqExact(day) AS days
        FROM {activity} AS states
        GROUP BY course_key, actor_id
    ),
    everybody AS (
        SELECT course_key, actor_id FROM enrolled
        UNION DISTINCT
        SELECT course_key, actor_id FROM visited
    ),
    completable AS (
        SELECT course_key, countIf(completable) AS blocks FROM {course_structure} GROUP BY course_key
    ),
    completed AS (
        SELECT states.course_key AS course_key, states.actor_id AS actor_id, count() AS blocks
        FROM (
            SELECT course_key, usage_key, actor_id, argMaxMerge(completions.latest) AS progress
            FROM {completions} AS completions
            GROUP BY course_key, usage_key, actor_id
        ) AS states
        INNER JOIN (SELECT course_key, usage_key FROM {course_structure} WHERE completable) AS blocks
            ON blocks.course_key = states.course_key AND blocks.usage_key = states.usage_key
        WHERE states.progress >= 100
        GROUP BY course_key, actor_id
    ),
    graded AS (
        SELECT course_key, actor_id, argMaxMerge(states.latest).1 AS grade, true AS is_there
        FROM {grades} AS states
        WHERE subsection_key = ''
        GROUP BY course_key, actor_id
    ),
    decided AS (
        SELECT course_key, actor_id, argMaxMerge(states.latest) AS passed
        FROM {outcomes} AS states
        GROUP BY course_key, actor_id
    ),
    answered AS (
        SELECT
            course_key,
            actor_id,
            count() AS problems,
            countIf(right_last) AS problems_right,
            sum(states.attempts) AS attempts
        FROM {answer_states} AS states
        WHERE part = ''
        GROUP BY course_key, actor_id
    ),
    watched AS (
        SELECT course_key, actor_id, uniqExact(video_key) AS videos FROM {videos} GROUP BY course_key, actor_id
    ),
    posted AS (
        SELECT course_key, actor_id, uniqExactMerge(states.acts) AS posts
        FROM {posts} AS states
        WHERE verb = 'posted'
        GROUP BY course_key, actor_id
    ),
    facts AS (
        SELECT
            everybody.course_key AS course_key,
            everybody.actor_id AS actor_id,
            multiIf(enrolled.actor_id = '', 'unknown', enrolled.latest.1, 'enrolled', 'left') AS enrollment,
            enrolled.latest.2 AS mode,
            if(enrolled.actor_id = '', NULL, enrolled.first_at) AS enrolled_at,
            if(visited.actor_id = '', NULL, visited.last_at) AS last_visit,
            visited.days AS days_active,
            round(if(completable.blocks > 0, completed.blocks / completable.blocks, 0), 4) AS progress,
            if(graded.is_there, graded.grade, NULL) AS grade,
            decided.passed AS passed,
            answered.problems AS problems,
            answered.problems_right AS problems_right,
            answered.attempts AS attempts,
            watched.videos AS videos,
            posted.posts AS posts,
            enrollment != 'left' AND NOT passed AS may_be_at_risk
        FROM everybody
        LEFT JOIN enrolled ON enrolled.course_key = everybody.course_key AND enrolled.actor_id = everybody.actor_id
        LEFT JOIN visited ON visited.course_key = everybody.course_key AND visited.actor_id = everybody.actor_id
        LEFT JOIN completable ON completable.course_key = everybody.course_key
        LEFT JOIN completed ON completed.course_key = everybody.course_key AND completed.actor_id = everybody.actor_id
        LEFT JOIN graded ON graded.course_key = everybody.course_key AND graded.actor_id = everybody.actor_id
        LEFT JOIN decided ON decided.course_key = everybody.course_key AND decided.actor_id = everybody.actor_id
        LEFT JOIN answered ON answered.course_key = everybody.course_key AND answered.actor_id = everybody.actor_id
        LEFT JOIN watched ON watched.course_key = everybody.course_key AND watched.actor_id = everybody.actor_id
        LEFT JOIN posted ON posted.course_key = everybody.course_key AND posted.actor_id = everybody.actor_id
    ),
    compared AS (
        SELECT
            *,
            quantileExactInclusiveIf(0.5)(progress, enrollment != 'left') OVER (PARTITION BY course_key) AS median_progress
        FROM facts
    )
SELECT
    splitByRegexp('[+/]', replaceRegexpOne(course_key, '^[a-z0-9-]+:', ''))[1] AS org,
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
