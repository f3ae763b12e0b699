-- One row: a reason for which learners of a course are at risk.
-- From: learner_status.
-- Key: the course and the reason. Reasons for fewer learners than the rule smallest_group are left out, unless boards
--   show names.
-- Population: Learners at risk, as learner_status defines it. A learner with two reasons is in two rows.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   reason: The reason, in words, as learner_status defines it.
--   learners: Learners to whom it applies.
SELECT
    {org} AS org,
    course_key,
    arrayJoin(splitByString('; ', reasons)) AS reason,
    count() AS learners
FROM {learner_status}
WHERE at_risk
GROUP BY course_key, reason
HAVING learners >= {rule.smallest_shown}
