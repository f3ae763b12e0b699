"""How-to pages, followed to the letter: the blocks of a page, and an operator who does what they say."""

from .operator import Operator, PageFailed
from .page import Block, read_page

__all__ = ["Block", "Operator", "PageFailed", "read_page"]
