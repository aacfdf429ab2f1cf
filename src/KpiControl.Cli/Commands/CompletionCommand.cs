using System.CommandLine;
using KpiControl.Cli.Options;

namespace KpiControl.Cli.Commands;

internal static class CompletionCommand
{
    private static readonly Argument<string> Shell = new("SHELL") { Description = "bash, zsh or fish" };

    static CompletionCommand() => Shell.AcceptOnlyFromAmong("bash", "zsh", "fish");

    public static Command Create() =>
        new Command("completion", "Print a completion script: source <(kpictl completion bash)") { Shell }.Does(session =>
        {
            session.World.Out.Write(session.Value(Shell) switch { "zsh" => Zsh, "fish" => Fish, _ => Bash });
            return Task.FromResult(ExitCode.Done);
        });

    // Each asks kpictl itself, with the line and the cursor's position, so that a script never falls behind the commands.
    private const string Bash =
        """
        _kpictl() {
          local word="${COMP_WORDS[COMP_CWORD]}"
          local IFS=$'\n'
          COMPREPLY=($(compgen -W "$(kpictl "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "$word"))
        }
        complete -o default -F _kpictl kpictl

        """;

    private const string Zsh =
        """
        #compdef kpictl
        _kpictl() {
          local -a suggestions
          suggestions=("${(@f)$(kpictl "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
          if [[ -n "${suggestions[*]}" ]]; then compadd -a suggestions; else _files; fi
        }
        compdef _kpictl kpictl

        """;

    private const string Fish =
        """
        function __kpictl_complete
            set -l line (commandline -cp)
            set -l suggestions (kpictl "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null | string match -v '')
            if set -q suggestions[1]
                printf '%s\n' $suggestions
            else
                __fish_complete_path (commandline -ct)
            end
        end
        complete -c kpictl -f -a '(__kpictl_complete)'

        """;
}
