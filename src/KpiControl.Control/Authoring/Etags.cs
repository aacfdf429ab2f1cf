using System.Globalization;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Authoring;

/// <summary>A binding's etag: its revision, which rises with every change of what is in force.</summary>
internal static class Etags
{
    public static string Of(int revision) => string.Create(CultureInfo.InvariantCulture, $"r{revision}");

    public static void Demand(string etag, int revision) => EntityTag.Demand(etag, Of(revision), "The job");
}
