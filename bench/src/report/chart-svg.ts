import { init } from 'echarts'
import type { Chart } from '../report.js'

/**
 * Apache ECharts draws SVG as text, without a browser and without native code; of the libraries
 * that can (Vega too), it is the one with the fewest packages behind it.
 */
export const svgOf = ({
  title,
  xTitle,
  yTitle,
  isXLogarithmic,
  isYLogarithmic,
  lines,
}: Chart): string => {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 800, height: 420 })
  const axis = { nameLocation: 'middle', nameGap: 32 } as const
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: { text: title, left: 'center', textStyle: { fontSize: 15 } },
    legend: { top: 28 },
    grid: { left: 80, right: 30, top: 64, bottom: 52 },
    xAxis: { ...axis, name: xTitle, type: isXLogarithmic ? 'log' : 'value' },
    yAxis: { ...axis, name: yTitle, nameGap: 60, type: isYLogarithmic ? 'log' : 'value' },
    series: lines.map(({ name, points }) => ({
      type: 'line',
      name,
      data: points.map(([x, y]) => [x, y]),
      symbolSize: points.length > manyPoints ? 0 : 6,
    })),
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

const manyPoints = 30
