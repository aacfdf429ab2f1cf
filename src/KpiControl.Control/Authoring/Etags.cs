using System.Globalization;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Authoring;

/// <summary>A binding's etag: its revision, which rises with every change of what is in force.</summary>
internal static class Etags
{
    public static string Of(int revision) => string.Create(CultureInfo.InvariantCulture, $"r{revision}");

    /// <summary>An absent etag is whatever is there; HTTP's spellings (<c>"r3"</c>, <c>W/"r3"</c>) are the same.</summary>
    public static void Demand(string etag, int revision)
    {
        var read = etag.StartsWith("W/", StringComparison.Ordinal) ? etag[2..] : etag;
        if (etag.Length > 0 && read.Trim('"') != Of(revision))
            throw Reject.Aborted("ETAG_MISMATCH", "The job has changed since it was read; read it again and repeat the edit.");
    }
}
