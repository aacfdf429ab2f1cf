using KpiControl.Control.Hosting;

namespace KpiControl.Control.Requests;

/// <summary>Etags as callers send them back.</summary>
internal static class EntityTag
{
    /// <summary>An absent one is whatever is there; HTTP's spellings (<c>"r3"</c>, <c>W/"r3"</c>) are the same.</summary>
    /// <param name="what">Begins a sentence: <c>The job</c>.</param>
    public static void Demand(string sent, string current, string what)
    {
        var read = sent.StartsWith("W/", StringComparison.Ordinal) ? sent[2..] : sent;
        if (sent.Length > 0 && read.Trim('"') != current)
            throw Reject.Aborted("ETAG_MISMATCH", $"{what} has changed since it was read; read it again and repeat the edit.");
    }
}
