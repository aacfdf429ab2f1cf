using System.Globalization;
using System.Text.Encodings.Web;
using Fluid.Values;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>A value in a template that is compared as itself and written as a parameter's place: it can never be pasted.</summary>
internal sealed class ParameterValue(string text, Func<string> place) : FluidValue
{
    public override FluidValues Type => FluidValues.String;

    public override bool Equals(FluidValue? other) => other is not null && string.Equals(text, other.ToStringValue(), StringComparison.Ordinal);

    public override bool Equals(object? obj) => obj is FluidValue other && Equals(other);

    public override int GetHashCode() => text.GetHashCode(StringComparison.Ordinal);

    public override bool ToBooleanValue() => true;

    public override decimal ToNumberValue() => 0;

    public override string ToStringValue() => place();

    public override object ToObjectValue() => place();

    public override async ValueTask WriteToAsync(TextWriter writer, TextEncoder encoder, CultureInfo cultureInfo) =>
        await writer.WriteAsync(place());
}
