-- One row: a day on which learners were in the forum of a course.
-- From: activity.
-- Key: the course and the day.
-- Population: Everybody with a statement about the forum, whether still enrolled or not. Days without one are left
--   out.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   day: Day, UTC.
--   posts: Threads, responses and comments written.
--   learners_posting: Learners who wrote.
--   views: Threads read.
--   learners: Learners who read, wrote, voted or did something else there.
SELECT
    {org} AS org,
    course_key,
    day,
    uniqExactMergeIf(states.posts, kind = 'posted') AS posts,
    uniqExactIf(actor_id, kind = 'posted') AS learners_posting,
    uniqExactMergeIf(states.posts, kind = 'viewed') AS views,
    uniqExact(actor_id) AS learners
FROM {activity} AS states
WHERE kind IN ('posted', 'viewed', 'forum')
GROUP BY course_key, day
