using System.Globalization;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Restatements;

/// <summary>What an approval of a restatement signs: whose numbers, because of what, and by which definitions; nothing that time alone changes.</summary>
internal static class RestatementDigest
{
    public static string Signed(RestatementRow row, IReadOnlyList<RestatedDateRow> dates) => Jcs.Write(new JsonObject
    {
        ["binding"] = $"{row.TenantId}/{row.Environment}/{row.JobId}", ["cause"] = row.CauseKey(), ["source"] = row.Source,
        ["dates"] = new JsonArray([.. dates.Select(date => new JsonObject
        {
            ["business_date"] = date.BusinessDate.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), ["reported_run_id"] = Text(date.ReportedRunId), ["content_hash"] = date.ContentHash,
        })]),
    });

    /// <summary><c>refresh/12</c> or <c>restatement/7</c>.</summary>
    public static string CauseKey(this RestatementRow row) => row.RefreshId is { } refresh ? $"refresh/{Text(refresh)}" : $"restatement/{Text(row.UpstreamId!.Value)}";

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
