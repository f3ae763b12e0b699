"""Learners with scripted journeys through courses, as the platform's tracking events.

``structure`` reads a course, ``plan`` writes a learner's script, ``enact`` makes events of it, and ``answers`` says by
the script alone what reports must show.
"""
