-- One row: a day on which learners did something in a course.
-- From: activity.
-- Key: the course and the day.
-- Population: Everybody with a statement about a visit, whether still enrolled or not. Days without a visit are left
--   out.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   day: Day, UTC.
--   learners: Learners who did something.
--   with_pages: Learners who went from one page to another.
--   with_videos: Learners who used a video's player.
--   with_problems: Learners who answered a problem or asked for help.
--   with_forum: Learners who read or wrote in the forum.
SELECT
    {org} AS org,
    course_key,
    day,
    uniqExact(actor_id) AS learners,
    uniqExactIf(actor_id, kind = 'page') AS with_pages,
    uniqExactIf(actor_id, kind = 'video') AS with_videos,
    uniqExactIf(actor_id, kind = 'problem') AS with_problems,
    uniqExactIf(actor_id, kind IN ('posted', 'viewed', 'forum')) AS with_forum
FROM {activity}
GROUP BY course_key, day
