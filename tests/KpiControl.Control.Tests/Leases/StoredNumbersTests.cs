using System.Globalization;
using KpiControl.Control.Leases;

namespace KpiControl.Control.Tests.Leases;

public sealed class StoredNumbersTests
{
    [Theory]
    [InlineData(typeof(KindNumber), typeof(OccurrenceKind))]
    [InlineData(typeof(ReasonNumber), typeof(WaitingFor))]
    public void A_statement_says_the_number_that_its_enum_has(Type numbers, Type words) =>
        Assert.All(numbers.GetFields(), number =>
            Assert.Equal(Convert.ToInt32(Enum.Parse(words, number.Name), CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture), number.GetRawConstantValue()));
}
