-- One row: a minute of a video that somebody played.
-- From: video_seconds, and course_structure for the video's place.
-- Key: the course, the video and the minute.
-- Population: Everybody who played the video, whether still enrolled or not.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   usage_key: Usage key of the video.
--   block_id: Last part of the usage key.
--   video_name: Name of the video.
--   video_place: Place and name of the video, such as "1.2.3 Waves"; sorts in the order of the course.
--   minute: Minute of the video: 0 is its first, from 0:00 to 0:59.
--   learners: Learners who played its most played second.
--   views: How often its most played second was played, by all learners together.
--   rewatches: How often its most rewatched second was played again by a learner who had played it.
SELECT
    seconds.org AS org,
    seconds.course_key AS course_key,
    seconds.usage_key AS usage_key,
    any(seconds.block_id) AS block_id,
    any(seconds.video_name) AS video_name,
    concat(any(blocks.place), ' ', any(seconds.video_name)) AS video_place,
    intDiv(seconds.second, 60) AS minute,
    max(seconds.learners) AS learners,
    max(seconds.views) AS views,
    max(seconds.rewatches) AS rewatches
FROM {video_seconds} AS seconds
INNER JOIN {course_structure} AS blocks
    ON blocks.course_key = seconds.course_key AND blocks.usage_key = seconds.usage_key
GROUP BY org, course_key, usage_key, minute
