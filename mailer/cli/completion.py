"""What bash needs to complete words with a colon, such as ``relay:out``, which it takes for several.

Of the line that is typed bash gives its words, cut at each of ``COMP_WORDBREAKS``, and puts what is chosen in the place of the last piece.
So the program is given the line itself, up to the cursor, and the pieces before the last one are taken away from what it offers.
"""

from __future__ import annotations

import os

from click.shell_completion import BashComplete, add_completion_class, shell_complete, split_arg_string

__all__ = ["WholeWords", "shell_complete"]

SCRIPT = """\
%(complete_func)s() {
    local line=${COMP_LINE:0:${COMP_POINT:-0}} type value before
    local word=${line##*[[:space:]]}
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(env COMP_WORDS="$(IFS=$'\\n'; printf '%%s' "${COMP_WORDS[*]}")" COMP_CWORD="$COMP_CWORD" COMP_LINE="$line" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
        before=${word%%"${word##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
    fi
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class WholeWords(BashComplete):
    """Completion for bash that knows where words end."""

    source_template = SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is typed, and what there is of that."""
        line = os.environ.get("COMP_LINE", "")
        if not line:  # an older script, or a test
            return super().get_completion_args()
        words = split_arg_string(line)
        last = "" if line[-1].isspace() or len(words) < 2 else words.pop()
        return words[1:], last


add_completion_class(WholeWords)
