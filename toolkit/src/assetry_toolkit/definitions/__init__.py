"""What a tool's project defines, and how it is known without running the tool.

* `projects`: the folders in which there are projects.
* `variables`: those that its settings name.
* `digests`: by which it is seen that something has changed.
* `kept_answers`: what the tool answers, kept in a file until it would be another answer.
"""
