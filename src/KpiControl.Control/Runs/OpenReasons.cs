namespace KpiControl.Control.Runs;

/// <summary>Words for <c>kpi_job_runtime.occ_reason</c>.</summary>
internal static class OpenReasons
{
    public static string Word(short? reason) => reason switch
    {
        1 => "dependency",
        2 => "retry",
        3 => "no_agent",
        4 => "no_credit",
        5 => "lease_lost",
        6 => "returned",
        _ => "",
    };
}
