namespace KpiControl.Cli;

internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int UsageOrCancelled = 2;
    /// <summary>Of diff and plan --detailed-exitcode, as terraform's; their misuse is <see cref="Failed"/>.</summary>
    public const int Differs = 2;
    public const int NotAuthenticated = 4;
}
