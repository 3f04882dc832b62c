# Loaded at the first Tab behind `mailer`; the program itself knows what can be completed, and how it is asked.
eval "$(_MAILER_COMPLETE=bash_source mailer)"
